// ---- Definitions of terms: a tooltip beside the word, by pointer, keyboard and touch

const tip = document.getElementById("tip");
const termAt = (target) => target.closest?.('[aria-describedby^="term-"], a.term');
const definitionOf = (word) =>
  document.getElementById(word.getAttribute("aria-describedby") ?? word.hash.slice(1))?.querySelector("dd");
const putTip = (word) => {
  const [box, own] = [word.getBoundingClientRect(), tip.getBoundingClientRect()];
  const below = box.bottom + own.height < window.innerHeight;
  tip.style.left = `${Math.max(8, Math.min(box.left, document.documentElement.clientWidth - own.width - 8))}px`;
  tip.style.top = `${below ? box.bottom : box.top - own.height}px`;
};
const showTip = ({ target }) => {
  const word = termAt(target);
  const definition = word && definitionOf(word);
  if (!definition) return;
  tip.textContent = definition.textContent;
  tip.hidden = false;
  putTip(word);
};
const hideTip = () => { tip.hidden = true; };
document.addEventListener("pointerover", showTip);
document.addEventListener("focusin", showTip);
// The tooltip stays while the pointer is on it, so that it can be read and selected.
document.addEventListener("pointerout", ({ target, relatedTarget }) => {
  if ((termAt(target) || target === tip) && relatedTarget !== tip) hideTip();
});
document.addEventListener("focusout", hideTip);
document.addEventListener("scroll", hideTip, true);
document.addEventListener("keydown", ({ key }) => key === "Escape" && hideTip());
