// What runs in a page: the search, buttons that copy, the list that folds on a phone. Plain JavaScript for today's browsers, as
// text whose hash the page's policy names. Asks no network: the index is a file beside the pages, loaded when first needed.

export const SCRIPT = `
(() => {
  const root = document.body.dataset.root;
  const field = document.querySelector(".search input");
  const found = document.getElementById("found");
  const beside = document.querySelector(".beside");
  if (beside && matchMedia("(max-width: 860px)").matches) beside.open = false;
  beside?.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest" });

  let index;
  const load = () => index ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = root + "search.js";
    script.onload = () => resolve(window.lensorSearch);
    script.onerror = () => reject(new Error("search.js is not there"));
    document.head.append(script);
  });
  const score = (words, entry) => {
    const name = entry.t.toLowerCase();
    const last = name.slice(name.lastIndexOf(".") + 1);
    const parts = entry.t.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase().split(/[^a-z0-9]+/);
    let sum = 0;
    for (const word of words) {
      const best = name === word || last === word ? 100
        : name.startsWith(word) || last.startsWith(word) ? 60 - Math.min(20, name.length - word.length)
        : parts.some((part) => part.startsWith(word)) ? 35
        : name.includes(word) ? 25
        : entry.s.toLowerCase().includes(word) ? 8 : 0;
      if (!best) return 0;
      sum += best;
    }
    return sum + entry.w;
  };
  let chosen = -1;
  const options = () => [...found.children].filter((one) => one.tagName === "A");
  const choose = (at) => {
    const all = options();
    chosen = all.length ? (at + all.length) % all.length : -1;
    all.forEach((one, i) => one.setAttribute("aria-selected", String(i === chosen)));
    if (chosen >= 0) {
      all[chosen].scrollIntoView({ block: "nearest" });
      field.setAttribute("aria-activedescendant", all[chosen].id);
    } else field.removeAttribute("aria-activedescendant");
  };
  const close = () => { found.hidden = true; field.setAttribute("aria-expanded", "false"); };
  const part = (name, text) => { const one = document.createElement("span"); one.className = name; one.textContent = text; return one; };
  const show = async () => {
    const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
    if (!words.length) return close();
    const entries = await load();
    const hits = entries.map((entry) => [score(words, entry), entry]).filter(([points]) => points > 0)
      .sort(([a], [b]) => b - a).slice(0, 12);
    found.replaceChildren(...hits.map(([, entry], i) => {
      const link = document.createElement("a");
      link.href = root + entry.u;
      link.id = "found-" + i;
      link.setAttribute("role", "option");
      link.tabIndex = -1;
      link.append(part("name", entry.t), part("kind", entry.k), part("about", entry.s));
      return link;
    }));
    if (!hits.length) found.append(part("none", "Nothing is called so."));
    found.hidden = false;
    field.setAttribute("aria-expanded", "true");
    choose(0);
  };
  field.addEventListener("input", show);
  field.addEventListener("focus", () => { load().catch(() => {}); if (field.value) show(); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") options()[chosen]?.click();
    else if (event.key === "Escape") { close(); field.blur(); }
    else return;
    event.preventDefault();
  });
  found.addEventListener("click", () => { close(); field.blur(); });
  document.addEventListener("click", (event) => { if (!event.target.closest(".search")) close(); });
  document.addEventListener("keydown", (event) => {
    const busy = /^(input|textarea|select)$/i.test(event.target.tagName);
    if (busy || event.ctrlKey || event.metaKey || event.altKey || event.key !== "/") return;
    event.preventDefault();
    field.focus();
    field.select();
  });
  // What a link leads to may lie in something that is folded.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && target.closest("details:not([open])");
    if (folded) { folded.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();
  for (const block of document.querySelectorAll("pre.code")) {
    if (!navigator.clipboard) break;
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }
})();
`;
