"use strict";

// The list of claims shows what changes without moving what is under the pointer: lines that are on
// the page are replaced where they are; for all else a notice leads to the list as it is now.
(() => {
  const MOST = 50;
  const waiting = new Set();
  const elsewhere = new Set();
  let isAsking = false;

  const list = () => document.querySelector("[data-live]");

  const notice = (isUnknown) => {
    const link = list()?.querySelector("[data-notice] a");
    if (!link) {
      return;
    }
    if (isUnknown) {
      link.dataset.count = "unknown";
    }
    const words = link.dataset;
    let text = words.unknown;
    if (words.count !== "unknown") {
      text = elsewhere.size === 1 ? words.one : words.many.replace("{count}", elsewhere.size);
    }
    link.textContent = `${text} – ${words.show}`;
    link.parentElement.hidden = false;
  };

  // Whether a line that is new on this page would stand on it, by its place in the order.
  const belongsHere = (key, lines) => {
    const { order, more, later } = list().dataset;
    const isBefore = (one, other) => (order.startsWith("-") ? one > other : one < other);
    if (!lines.length) {
      return true;
    }
    const isPastLast = !isBefore(key, lines[lines.length - 1].dataset.key);
    const isBeforeFirst = isBefore(key, lines[0].dataset.key);
    return !(isPastLast && more !== undefined) && !(isBeforeFirst && later !== undefined);
  };

  const show = (asked, rows) => {
    for (const id of asked) {
      const fresh = rows.querySelector(`#claim-${id}`);
      const stale = document.getElementById(`claim-${id}`);
      if (fresh && stale) {
        const hasMoved = fresh.dataset.key !== stale.dataset.key;
        const hadFocus = stale.contains(document.activeElement);
        stale.replaceWith(fresh);
        fresh.classList.add("fresh");
        if (hadFocus) {
          fresh.querySelector("a").focus({ preventScroll: true });
        }
        if (hasMoved) {
          elsewhere.add(id);
        }
      } else if (stale) {
        stale.classList.add("gone");
        elsewhere.add(id);
      } else if (fresh && belongsHere(fresh.dataset.key, list().querySelectorAll("tbody tr"))) {
        elsewhere.add(id);
      }
    }
    if (elsewhere.size) {
      notice(false);
    }
  };

  const ask = async () => {
    if (isAsking || !waiting.size || !list()) {
      return;
    }
    const asked = [...waiting];
    waiting.clear();
    if (asked.length > MOST) {
      notice(true);
      return;
    }
    isAsking = true;
    const query = new URLSearchParams(asked.map((id) => ["claim", id]));
    query.set("view", list().dataset.view);
    try {
      const response = await fetch(`/claim-rows?${query}`, { headers: { "HX-Request": "true" } });
      if (!response.ok) {
        throw new Error(response.statusText);
      }
      const rows = document.createElement("template");
      rows.innerHTML = `<table><tbody>${await response.text()}</tbody></table>`;
      show(asked, rows.content);
    } catch {
      notice(true);
    }
    isAsking = false;
    ask();
  };

  document.addEventListener("cpor:claim", (event) => {
    waiting.add(event.detail);
    queueMicrotask(ask);
  });
  document.addEventListener("cpor:refresh", () => notice(true));
  document.addEventListener("htmx:afterSwap", () => elsewhere.clear());
})();
