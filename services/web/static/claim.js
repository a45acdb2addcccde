"use strict";

// When the claim on the page changes, say so; what somebody is filling in stays as it is.
const claim = document.querySelector("[data-claim]");
const notice = claim.querySelector(".live-notice");

document.addEventListener("cpor:claim", (event) => {
  if (event.detail === claim.dataset.claim) {
    notice.hidden = false;
  }
});
document.addEventListener("cpor:refresh", () => {
  notice.hidden = false;
});
