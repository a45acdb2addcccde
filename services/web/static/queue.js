"use strict";

// What is pressed twice is sent once.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = "yes";
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
  }
});

// Ticking that something is missing leads to asking for it.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-missing]:checked")) {
    document.getElementById(event.target.getAttribute("form")).closest("details").open = true;
  }
});

// Keys: single letters, outside of fields, and only for those who have not turned them off.
const SETTING = "cpor-keys";
const isOn = () => localStorage.getItem(SETTING) !== "off";

function show() {
  for (const each of document.querySelectorAll("[data-keys]")) {
    each.hidden = each.matches("kbd") && !isOn();
  }
  for (const each of document.querySelectorAll("[data-keys-switch]")) {
    each.textContent = isOn() ? each.dataset.off : each.dataset.on;
  }
}

for (const each of document.querySelectorAll("[data-keys-switch]")) {
  each.addEventListener("click", () => {
    localStorage.setItem(SETTING, isOn() ? "off" : "on");
    show();
  });
}
show();

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (!isOn() || isTyping || event.ctrlKey || event.altKey || event.metaKey || event.repeat) {
    return;
  }
  const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!wanted) {
    return;
  }
  event.preventDefault();
  if (wanted.matches("details")) {
    wanted.open = true;
    wanted.querySelector("textarea, [type=checkbox]").focus();
  } else {
    wanted.click();
  }
});
