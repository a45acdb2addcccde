"use strict";

// When the claim on the page changes, say so; what somebody is filling in stays as it is.
const claim = document.querySelector("[data-claim]");

document.body.addEventListener("htmx:sseOpen", (event) => {
  event.detail.source.addEventListener("claim", (message) => {
    if (message.data.trim() === claim.dataset.claim) {
      claim.querySelector(".live-notice").hidden = false;
    }
  });
});
