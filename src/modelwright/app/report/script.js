// Runs in the head, before anything is drawn, so that neither language nor colours flash. Nothing is fetched.
(() => {
  const root = document.documentElement;
  const asked = new URLSearchParams(location.search);
  const remembered = (name) => { try { return localStorage.getItem("modelwright." + name); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem("modelwright." + name, value); } catch { /* a file may have no store */ } };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = {
    language: () => (root.lang.startsWith("zh") ? "zh" : "en"),
    theme: () => root.dataset.theme || (dark.matches ? "dark" : "light"),
  };
  const set = {
    language: (value) => { root.lang = value === "zh" ? "zh-CN" : "en"; },
    theme: (value) => { root.dataset.theme = value; },
  };
  const show = () => {
    for (const name of ["language", "theme"]) {
      for (const button of document.querySelectorAll(`button[data-${name}]`)) {
        button.setAttribute("aria-pressed", String(button.dataset[name] === now[name]()));
      }
    }
  };
  root.classList.add("live");
  set.language(asked.get("language") || remembered("language") || (navigator.language || "en").slice(0, 2));
  const theme = asked.get("theme") || remembered("theme");
  if (theme === "dark" || theme === "light") set.theme(theme);
  dark.addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => {
    show();
    document.addEventListener("click", (event) => {
      const button = event.target.closest(".switches button");
      if (!button) return;
      const name = button.dataset.language ? "language" : "theme";
      set[name](button.dataset[name]);
      remember(name, button.dataset[name]);
      show();
    });
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const item of closed) item.open = true;
  });
  addEventListener("afterprint", () => { for (const item of closed) item.open = false; });
})();
