/* The value chain page: fetch the result again when a judgement moves; the address follows.
   Dash loads every script of this folder, so on its own page this one does nothing. */
(function () {
  "use strict";
  const form = document.getElementById("judgements");
  if (!form) return;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paint = () =>
    document.documentElement.setAttribute("data-mantine-color-scheme", dark.matches ? "dark" : "light");
  paint();
  dark.addEventListener("change", paint);

  for (const pick of document.querySelectorAll("[data-go]")) {
    pick.addEventListener("change", () => pick.form.submit());
  }

  let asked = 0;
  let waiting = null;
  async function refresh() {
    const mine = ++asked;
    const query = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action + "?" + query + "&part=result");
    const text = await answer.text();
    if (mine !== asked) return; // a later move has been asked for since
    const result = document.getElementById("result");
    if (answer.ok) {
      result.innerHTML = text; // made and escaped by our own server
      history.replaceState(null, "", "?" + query);
    } else {
      const said = result.querySelector(".chain-sentence");
      said.textContent = JSON.parse(text).error;
    }
  }
  form.addEventListener("input", (event) => {
    const output = event.target.parentElement.querySelector("output");
    if (event.target.type === "range") output.textContent = Number(event.target.value).toFixed(2);
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 40);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    refresh();
  });
})();
