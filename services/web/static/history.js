"use strict";

// The number follows the slider, and the timeline shows where it stands.
const slider = document.querySelector(".slider input[type=range]");

if (slider) {
  const follow = () => {
    document.querySelector(".slider-number").value = slider.value;
  };
  slider.addEventListener("input", follow);
  follow();
}
document.body.addEventListener("htmx:afterSettle", () => {
  const chosen = document.querySelector("#then").dataset.version;
  for (const step of document.querySelectorAll(".step")) {
    step.classList.toggle("step-chosen", step.dataset.version === chosen);
  }
});
