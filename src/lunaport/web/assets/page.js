"use strict";
// What the page does in the browser: live parts that change in place, copying, the theme.
(() => {
  // Makes `old` like `wanted`, touching only what differs: focus, selection and scroll positions stay.
  const alter = (old, wanted) => {
    if (old.nodeType !== wanted.nodeType || old.nodeName !== wanted.nodeName) { old.replaceWith(wanted); return; }
    if (old.nodeType === Node.TEXT_NODE) { if (old.data !== wanted.data) old.data = wanted.data; return; }
    if (old.nodeType !== Node.ELEMENT_NODE) return;
    for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name)) old.removeAttribute(name);
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
      document.cookie = `lunaport-theme=${theme.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
      location.reload();
    }
  });
  window.lunaport = { put };
})();
