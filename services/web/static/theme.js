"use strict";

// Before anything is drawn: the theme as the device has it, where nobody chose one.
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    if (root.dataset.theme === "auto") {
      root.dataset.bsTheme = dark.matches ? "dark" : "light";
    }
  };
  apply();
  dark.addEventListener("change", apply);
})();
