"use strict";

// Once the server has looked at a field, the field itself says whether it is right.
document.addEventListener("htmx:afterSettle", () => {
  for (const wrong of document.querySelectorAll(".field-wrong")) {
    const isWrong = wrong.childElementCount > 0;
    for (const field of document.querySelectorAll(`[aria-describedby~="${wrong.id}"]`)) {
      if (isWrong && !["radio", "checkbox"].includes(field.type)) {
        field.setAttribute("aria-invalid", "true");
      } else {
        field.removeAttribute("aria-invalid");
      }
    }
  }
});
