/* Numbers as people read them, rounded and scaled as in flywheel/figures/numbers.py, written in the
   browser because they change with every move. tests/browser holds the two together. */
(function () {
  "use strict";

  const group = (whole) => whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

  function rounded(value, digits = 3) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    if (value === 0) return "0";
    const exponent = Math.floor(Math.log10(Math.abs(value)));
    if (exponent >= 15 || exponent < -4) {
      let [mantissa, power] = value.toExponential(digits - 1).split("e");
      if (mantissa.includes(".")) mantissa = mantissa.replace(/0+$/, "").replace(/\.$/, "");
      return `${mantissa}e${Number(power)}`.replace(/-/g, "−");
    }
    const places = digits - 1 - exponent;
    let text;
    if (places >= 0) {
      text = Math.abs(value).toFixed(places);
    } else {
      const unit = 10 ** -places;
      text = String(Math.round(Math.abs(value) / unit) * unit);
    }
    let [whole, fraction] = text.split(".");
    if (fraction) fraction = fraction.replace(/0+$/, "");
    const body = group(whole) + (fraction ? "." + fraction : "");
    return value < 0 && Number(text) !== 0 ? "−" + body : body;
  }

  function percent(fraction, signed = true) {
    if (!Number.isFinite(fraction)) return "–";
    const text = rounded(100 * fraction, Math.abs(fraction) >= 0.1 ? 3 : 2);
    return `${signed && fraction > 0 ? "+" : ""}${text} %`;
  }

  function change(value, base) {
    if (!Number.isFinite(value) || !Number.isFinite(base)) return "–";
    if (value === base) return "±0 %";
    if (base === 0 || value < 0 !== base < 0) {
      const difference = value - base;
      return `${difference > 0 ? "+" : ""}${rounded(difference)}`;
    }
    return percent((value - base) / Math.abs(base));
  }

  /* A date of the model's calendar: no thousands comma, no needless decimals. */
  function date(value) {
    if (!Number.isFinite(value)) return "–";
    return String(Math.round(value * 100) / 100);
  }

  function scaleWord(spec, number) {
    for (const [size, word] of spec.words || []) {
      if (Math.abs(number) >= size && Number.isFinite(number)) return [size, word];
    }
    return [1, ""];
  }

  /* The number with its scale word, without the unit, which stands beside it in smaller type. */
  function short(value, spec) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (spec && spec.kind === "time" && spec.calendar && Math.abs(value) >= 1000) return date(value);
    if (spec && spec.kind === "scaled") {
      const [size, word] = scaleWord(spec, value * spec.scale);
      const number = (value * spec.scale) / size;
      const text = rounded(number, spec.digits > 3 && Math.abs(number) >= 1000 ? 4 : 3) + word;
      return spec.sign ? (text.startsWith("−") ? "−" + spec.sign + text.slice(1) : spec.sign + text) : text;
    }
    return rounded(spec && spec.kind === "plain" ? value * spec.scale : value);
  }

  /* What short() leaves out. */
  function unitOf(spec) {
    if (!spec || spec.kind === "plain") return "";
    if (spec.kind === "time") return spec.calendar ? "" : spec.after.trim();
    if (spec.kind === "raw") return spec.after.trim();
    return (spec.before + (spec.sign ? "" : spec.noun) + spec.after).trim();
  }

  /* One scale for a whole axis: the factor to multiply with, and the caption that says it. */
  function axis(spec, largest) {
    spec = spec || { kind: "plain", scale: 1 };
    if (spec.kind === "plain") return { factor: spec.scale, caption: "" };
    if (spec.kind === "raw") return { factor: 1, caption: spec.after.trim() };
    if (spec.kind === "time") return { factor: spec.scale, caption: spec.after.trim() };
    const [size, word] = scaleWord(spec, largest * spec.scale);
    const parts = spec.sign
      ? [spec.sign, word.trim()]
      : spec.glued || spec.digits === 4
        ? [word.trim() + (spec.glued ? " " : " "), spec.noun]
        : [word.trim(), spec.noun];
    const noun = parts.map((part) => part.trim()).filter(Boolean).join(" ");
    return { factor: spec.scale / size, caption: (spec.before + noun + spec.after).trim() };
  }

  /* Round numbers from low to high, about ``count`` of them. */
  function ticks(low, high, count) {
    const raw = (high - low) / count;
    if (!(raw > 0) || !Number.isFinite(raw)) return [0];
    const power = 10 ** Math.floor(Math.log10(raw));
    const unit = [1, 2, 2.5, 5, 10].find((step) => step * power >= raw * 0.999) * power;
    const found = [];
    for (let i = Math.floor(low / unit + 1e-9); i <= Math.ceil(high / unit - 1e-9); i++) {
      found.push(Number((i * unit).toPrecision(12)));
    }
    return found;
  }

  window.flywheelFormat = { rounded, percent, change, date, short, unitOf, axis, ticks };
})();
