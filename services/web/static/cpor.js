"use strict";

// Everything works without this file; with it, it works more smoothly.

// Times are shown in the device's time zone until somebody chooses another one.
if (!document.cookie.split("; ").some((each) => each.startsWith("cpor_time_zone="))) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    document.cookie = `cpor_time_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
    if (zone !== "UTC" && document.querySelector("time")) {
      window.location.reload();
    }
  }
}

// A menu closes when somebody looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) {
      menu.removeAttribute("open");
    }
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.removeAttribute("open");
      menu.querySelector("summary").focus();
    }
  }
});

// What somebody changed before htmx listened, or the browser filled in again, is shown, too.
document.addEventListener("DOMContentLoaded", () => {
  const words = (form) => new URLSearchParams(new FormData(form)).toString();
  for (const form of document.querySelectorAll("form[method=get][hx-trigger*=change]")) {
    const untouched = form.cloneNode(true);
    untouched.reset();
    if (words(form) !== words(untouched)) {
      form.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }
});

// When a part of a page can't be had, the browser asks for the whole, and shows what is wrong.
for (const failure of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(failure, ({ detail }) => {
    if (detail.elt.matches("form[method=get]")) {
      window.location = detail.pathInfo.finalRequestPath;
    }
  });
}

// What went wrong is read first.
document.querySelector("[data-focus]")?.focus();
