"use strict";

// Several documents at once, dropped or chosen, each with its progress. Without this file the form
// takes one at a time; each one is sent to the same place, with what else is filled in.

const area = document.querySelector("[data-drop]");

if (area) {
  const form = area.closest("form");
  const chooser = area.querySelector("input[type=file]");
  const uploads = form.querySelector("[data-uploads]");
  const after = form.querySelector("[data-after]");
  const waiting = [];
  let isSending = false;

  chooser.multiple = true;
  form.querySelector("[data-send]").hidden = true;
  form.querySelector("[data-can-drop]").hidden = false;

  const shown = (file) => {
    const row = document.createElement("li");
    row.className = "upload";
    const name = document.createElement("span");
    name.className = "upload-name";
    name.textContent = file.name;
    const state = document.createElement("span");
    state.className = "upload-state";
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    row.append(name, state, bar);
    uploads.append(row);
    const end = (kind, text) => {
      row.classList.add(kind);
      state.textContent = text;
      bar.remove();
    };
    return {
      say: (text) => { state.textContent = text; },
      progress: (part) => { bar.value = part; },
      // Nothing can be told of how long the server looks at it.
      wait: () => { bar.removeAttribute("value"); },
      done: (text) => end("is-done", text),
      wrong: (text) => end("is-wrong", text),
    };
  };

  const take = (text, upload) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const answer = page.querySelector("[data-answer]");
    const documents = page.getElementById("documents");
    if (!answer || !documents) {
      upload.wrong(form.dataset.failed);
      return;
    }
    document.getElementById("documents").replaceWith(documents);
    if (answer.dataset.answer === "done") {
      upload.done(answer.textContent);
    } else {
      upload.wrong(answer.textContent);
    }
  };

  const next = () => {
    const one = waiting.shift();
    isSending = one !== undefined;
    if (after) {
      after.disabled = isSending;
    }
    if (!one) {
      return;
    }
    const { file, upload, note } = one;
    // The form as it is now: it names the documents that came before. The note is the file's own.
    const data = new FormData(form);
    data.set("file", file);
    if (note !== undefined) {
      data.set("note", note);
    }
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.setRequestHeader("HX-Current-URL", window.location.href);
    request.upload.addEventListener("progress", (event) => {
      upload.progress(event.lengthComputable ? event.loaded / event.total : 0);
    });
    request.upload.addEventListener("load", () => {
      upload.say(form.dataset.checking);
      upload.wait();
    });
    request.addEventListener("load", () => {
      const signIn = request.getResponseHeader("HX-Redirect");
      if (signIn) {
        window.location = signIn;
      } else {
        take(request.responseText, upload);
      }
    });
    for (const failure of ["error", "abort", "timeout"]) {
      request.addEventListener(failure, () => upload.wrong(form.dataset.failed));
    }
    request.addEventListener("loadend", next);
    upload.say(form.dataset.sending);
    request.send(data);
  };

  const add = (files) => {
    const note = form.elements.namedItem("note")?.value;
    for (const file of files) {
      const upload = shown(file);
      if (file.size > Number(form.dataset.mostBytes)) {
        upload.wrong(form.dataset.tooLarge);
      } else {
        upload.say(form.dataset.waiting);
        waiting.push({ file, upload, note });
      }
    }
    if (!isSending) {
      next();
    }
  };

  chooser.addEventListener("change", () => {
    add([...chooser.files]);
    chooser.value = "";
  });
  form.addEventListener("submit", (event) => {
    if (isSending || event.submitter !== after) {
      event.preventDefault();
    }
  });
  for (const kind of ["dragenter", "dragover"]) {
    area.addEventListener(kind, (event) => {
      event.preventDefault();
      area.classList.add("is-over");
    });
  }
  area.addEventListener("dragleave", () => area.classList.remove("is-over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("is-over");
    add([...event.dataTransfer.files]);
  });
}
