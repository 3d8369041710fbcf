"use strict";
(() => {
  const root = document.documentElement;
  const $ = (name) => document.getElementById(name);
  const data = JSON.parse($("release").textContent);
  const stored = (name, value) => { try { if (value !== undefined) localStorage.setItem(name, value); return localStorage.getItem(name); } catch { return null; } };
  const session = (value) => { try { if (value !== undefined) sessionStorage.setItem("modelwright.key", value); return sessionStorage.getItem("modelwright.key") || ""; } catch { return ""; } };
  const zh = () => root.lang.startsWith("zh");
  const say = (english, chinese) => (zh() ? chinese : english);
  const language = (value) => { root.lang = value === "zh" ? "zh-CN" : "en"; for (const item of document.querySelectorAll("[data-language]")) item.setAttribute("aria-pressed", String(item.dataset.language === (zh() ? "zh" : "en"))); };
  language(new URLSearchParams(location.search).get("language") || stored("modelwright.language") || (navigator.language || "en").slice(0, 2));
  const theme = stored("modelwright.theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  for (const item of document.querySelectorAll("[data-language]")) item.addEventListener("click", () => { language(item.dataset.language); stored("modelwright.language", item.dataset.language); });
  $("theme").addEventListener("click", () => { const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; root.dataset.theme = dark ? "light" : "dark"; stored("modelwright.theme", root.dataset.theme); });

  const call = async (path, body, type) => {
    const headers = { "Content-Type": type || "application/json" };
    if (session()) headers.Authorization = `Bearer ${session()}`;
    const answer = await fetch(path, { method: "POST", headers, body: type ? body : JSON.stringify(body) });
    if (answer.ok && data.kind && answer.headers.get("Content-Type") === data.kind) return { id: answer.headers.get("modelwright-answer"), file: await answer.blob() };
    const found = await answer.json();
    if (!answer.ok) { if (answer.status === 401 && $("key-box")) $("key-box").hidden = false; throw new Error(found.error || answer.statusText); }
    return found;
  };
  const fail = (error) => { $("error").textContent = error ? error.message : ""; $("error").hidden = !error; };
  const guarded = (work) => async (event) => { if (event) event.preventDefault(); fail(null); try { await work(event); } catch (error) { fail(error); } };

  if ($("words-form")) {
    $("words-form").addEventListener("submit", guarded(async (event) => {
      const form = new FormData(event.target);
      await call("/about/words", Object.fromEntries(form));
      event.target.reset(); $("words-thanks").hidden = false;
    }));
    return;
  }

  let file = null, answer = null;
  const image = data.key === "image", text = data.key === "text";
  $("explain").hidden = !data.explains; $("right-box").hidden = !data.classes.length;
  $("drop").hidden = !image; $("text").hidden = !text; $("fields").hidden = data.key !== "fields";
  $("key").value = session();
  $("key-form").addEventListener("submit", (event) => event.preventDefault());
  $("key").addEventListener("change", () => session($("key").value.trim()));
  for (const field of data.form) {
    const label = document.createElement("label"), name = document.createElement("span"), input = document.createElement(field.choices.length ? "select" : "input");
    name.textContent = field.name; input.dataset.field = field.name; input.dataset.type = field.type;
    if (field.choices.length) for (const choice of ["", ...field.choices]) { const option = document.createElement("option"); option.textContent = option.value = choice; input.append(option); }
    else if (field.type === "number") { input.type = "number"; input.step = "any"; }
    label.append(name, input); $("fields").append(label);
  }
  for (const choice of data.classes.slice(0, 1000)) { const option = document.createElement("option"); option.textContent = option.value = choice; $("right-label").append(option); }
  const take = (chosen) => {
    if (!chosen) return;
    file = chosen; $("picture").src = URL.createObjectURL(chosen); $("stage").hidden = false; wipe();
    guarded(ask)();
  };
  const wipe = () => { const canvas = $("heat"); canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height); };
  $("file").addEventListener("change", () => take($("file").files[0]));
  for (const name of ["dragover", "dragenter"]) $("drop").addEventListener(name, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  for (const name of ["dragleave", "drop"]) $("drop").addEventListener(name, (event) => { event.preventDefault(); $("drop").classList.remove("over"); });
  $("drop").addEventListener("drop", (event) => take(event.dataTransfer.files[0]));
  document.addEventListener("paste", (event) => { if (image) take(event.clipboardData.files[0]); });

  const fields = () => Object.fromEntries([...document.querySelectorAll("[data-field]")].map((input) => [input.dataset.field, input.value === "" ? null : input.dataset.type === "number" ? Number(input.value) : input.value]));
  const send = (path) => {
    if (image) { if (!file) throw new Error(say("Choose a picture first.", "请先选择图片。")); return call(path, file, file.type || "application/octet-stream"); }
    return call(path, text ? { text: $("text").value } : { fields: fields() });
  };
  const bar = (name, share, number, down) => {
    const item = document.createElement("li"), label = document.createElement("span"), track = document.createElement("i"), fill = document.createElement("b"), value = document.createElement("em");
    label.textContent = name; fill.style.setProperty("width", `${Math.min(100, Math.max(0, share * 100))}%`); value.textContent = number; if (down) track.className = "down";
    track.append(fill); item.append(label, track, value); return item;
  };
  const styled = (found, milliseconds) => {
    answer = found;
    for (const [name, blob] of [["before", file], ["after", found.file]]) { URL.revokeObjectURL($(name).src); $(name).src = URL.createObjectURL(blob); }
    $("after").onload = () => { const side = $("after"); side.classList.toggle("small", side.naturalWidth < 220); $("before").className = side.className; $("took").textContent = `${side.naturalWidth} × ${side.naturalHeight}, ${milliseconds} ms`; };
    $("save").href = $("after").src;
    $("pair").hidden = false; $("label").hidden = $("bars").hidden = true;
    $("result").hidden = false; $("thanks").hidden = true; $("wrong-box").hidden = true;
  };
  const show = (found) => {
    answer = found;
    $("label").textContent = found.label;
    const ranked = found.probabilities ? Object.entries(found.probabilities).map(([label, probability]) => ({ label, probability })).sort((a, b) => b.probability - a.probability).slice(0, 10) : [found, ...found.runners_up];
    $("bars").replaceChildren(...ranked.map((item) => bar(item.label, item.probability, `${(item.probability * 100).toFixed(1)} %`)));
    $("result").hidden = false; $("thanks").hidden = true; $("wrong-box").hidden = true;
  };
  const ask = async () => { $("why-box").hidden = true; if (image) wipe(); const began = performance.now(), found = await send("/predict"); if (found.file) styled(found, Math.round(performance.now() - began)); else show(found); };
  const why = async () => {
    const found = await send("/explain");
    show(found);
    const most = Math.max(1e-9, ...found.parts.map((part) => Math.abs(part.weight)));
    $("why").replaceChildren();
    if (image) paint(found.parts, most);
    else if (text) colour(found.parts, most);
    else $("why").append(...[...found.parts].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, 12).map((part) => bar(part.field, Math.abs(part.weight) / most, part.weight.toFixed(3), part.weight < 0)));
    $("why").classList.toggle("words", text);
    $("why-box").hidden = false;
  };
  const paint = (parts, most) => {
    const canvas = $("heat"), context = canvas.getContext("2d");
    canvas.width = Math.max(...parts.map((part) => part.right)); canvas.height = Math.max(...parts.map((part) => part.bottom));
    for (const part of parts) { const share = part.weight / most; context.fillStyle = share > 0 ? `rgba(0, 150, 140, ${share * 0.75})` : `rgba(200, 60, 40, ${-share * 0.75})`; context.fillRect(part.left, part.top, part.right - part.left, part.bottom - part.top); }
  };
  const colour = (parts, most) => {
    let place = 0;
    // Positions count characters as Python does, where JavaScript counts halves of rare ones.
    const points = Array.from($("text").value);
    for (const part of parts) {
      $("why").append(points.slice(place, part.start).join(""));
      const span = document.createElement("span"), share = part.weight / most;
      span.textContent = points.slice(part.start, part.end).join("");
      span.style.setProperty("background", share > 0 ? `rgba(0, 150, 140, ${share * 0.6})` : `rgba(200, 60, 40, ${-share * 0.6})`);
      span.title = part.weight.toFixed(4); $("why").append(span); place = part.end;
    }
    $("why").append(points.slice(place).join(""));
  };
  const judge = async (right) => {
    await call("/feedback", { id: answer.id, right, label: right ? "" : $("right-label").value, comment: right ? "" : $("comment").value });
    $("thanks").hidden = false; $("wrong-box").hidden = true; $("comment").value = "";
  };
  $("ask-form").addEventListener("submit", guarded(ask));
  $("explain").addEventListener("click", guarded(why));
  $("is-right").addEventListener("click", guarded(() => judge(true)));
  $("is-wrong").addEventListener("click", () => { $("wrong-box").hidden = false; });
  $("tell").addEventListener("click", guarded(() => judge(false)));
})();
