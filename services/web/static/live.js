"use strict";

// Tells pages what changes on the board: the document gets the events `cpor:claim`, whose detail is
// a claim's id, and `cpor:refresh`, when there is too much to be told one by one. Only a page that is
// looked at listens, since browsers open few connections to one server; one that is looked at again
// hears first what came meanwhile. A page says in data-position how far the board had come for it.
(() => {
  const page = document.querySelector("[data-position]");
  if (!page) {
    return;
  }
  let position = page.dataset.position;
  let source = null;

  const tell = (name, event) => {
    position = event.lastEventId || position;
    document.dispatchEvent(new CustomEvent(`cpor:${name}`, { detail: event.data }));
  };
  const listen = () => {
    source = new EventSource(`/live?since=${encodeURIComponent(position)}`);
    source.addEventListener("claim", (event) => tell("claim", event));
    source.addEventListener("refresh", (event) => tell("refresh", event));
  };
  const look = () => {
    if (document.visibilityState === "visible" && !source) {
      listen();
    } else if (document.visibilityState === "hidden" && source) {
      source.close();
      source = null;
    }
  };
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", () => {
    source?.close();
    source = null;
  });
  window.addEventListener("pageshow", look);
  look();
})();
