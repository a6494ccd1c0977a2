"use strict";
// What the page does in the browser: live parts that change in place, copying, the theme.
(() => {
  // Makes `old` like `wanted`, touching only what differs: focus, selection and scroll positions stay.
  const alter = (old, wanted) => {
    if (old.nodeType !== wanted.nodeType || old.nodeName !== wanted.nodeName) { old.replaceWith(wanted); return; }
    if (old.nodeType === Node.TEXT_NODE) { if (old.data !== wanted.data) old.data = wanted.data; return; }
    if (old.nodeType !== Node.ELEMENT_NODE) return;
    const kept = old.nodeName === "DETAILS" ? "open" : "";  // whoever opened it closes it
    for (const { name } of [...old.attributes]) if (name !== kept && !wanted.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of wanted.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    children(old, wanted);
  };
  const children = (old, wanted) => {
    const now = [...old.childNodes], next = [...wanted.childNodes];
    next.forEach((node, index) => { if (index < now.length) alter(now[index], node); else old.append(node); });
    now.slice(next.length).forEach((node) => node.remove());
  };
  const put = (id, html) => {
    const found = document.getElementById(id);
    if (!found) return;
    const made = document.createElement("template");
    made.innerHTML = html;
    children(found, made.content);
  };
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) { await navigator.clipboard.writeText(text); return; }
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    (document.querySelector("[role=dialog]") || document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      const source = button.dataset.copy ? document.getElementById(button.dataset.copy) : null;
      await copy(source ? source.textContent : button.dataset.text);
      const before = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 1400);
    }
    const theme = event.target.closest("[data-theme]");
    if (theme) {
      const other = document.body.classList.contains("body--dark") ? "light" : "dark";
      document.cookie = `lunaport-theme=${other}; path=/; max-age=31536000; samesite=lax`;
      location.reload();
    }
  });
  // Files go to API v1 with the cookie in place of a password. What is being sent goes on while one looks elsewhere:
  // links open beside this page, and closing it is asked about.
  let sending = 0;
  const send = (method, path, body, progress) => new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const done = (more) => { sending -= 1; resolve(more); };
    request.open(method, `/_lunaport/api/v1/${path}`);
    request.upload.addEventListener("progress", (event) => { if (progress && event.total) progress(event.loaded / event.total); });
    request.addEventListener("load", () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText || "{}"); } catch { /* said below */ }
      const errors = answer.errors || (request.status < 300 ? [] : [{ field: "", message: `the NAS answered ${request.status}` }]);
      done({ errors, answer: request.status < 300 ? answer : {} });
    });
    request.addEventListener("error", () => done({ errors: [{ field: "", message: "the line to the NAS broke" }], answer: {} }));
    sending += 1;
    request.send(body);
  });
  const chosen = (id) => document.getElementById(id)?.files[0];
  const nothing = { errors: [{ field: "file", message: "choose a file first" }], answer: {} };
  const sendImage = async (id, bar, volume, name) => {
    const file = chosen(id);
    if (!file) return nothing;
    const shown = document.getElementById(bar);
    shown.hidden = false;
    const path = `volumes/${encodeURIComponent(volume)}/images/${encodeURIComponent(name || file.name)}`;
    const done = await send("PUT", path, file, (part) => { shown.value = part; });
    shown.hidden = true;
    return done;
  };
  const sendDocument = async (id, method, path, around) => {
    const file = chosen(id);
    if (!file) return nothing;
    let body = await file.text();
    if (around) {
      try { body = JSON.stringify({ ...around, backup: JSON.parse(body) }); } catch {
        return { errors: [{ field: "file", message: "is no backup of Lunaport" }], answer: {} };
      }
    }
    return send(method, path, body);
  };
  window.addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });
  document.addEventListener("click", (event) => {
    const link = sending ? event.target.closest("a[href^='/']") : null;
    if (link) { event.preventDefault(); window.open(link.href, "_blank", "noopener"); }
  });
  window.lunaport = { put, copy, sendImage, sendDocument };
})();
