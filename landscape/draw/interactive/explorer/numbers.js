// Numbers: how they are written, and arrays out of base64.

const $ = (id) => document.getElementById(id);

function unpack(text, type = Float32Array) {
  if (text === null) return null;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new type(bytes.buffer);
}

// Three significant digits, as the figures write them.
function written(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e6) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`.replaceAll("-", "−");
  }
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  const options = { maximumFractionDigits: decimals };
  return value.toLocaleString("en-US", options).replace("-", "−");
}

const whole = (value) => value.toLocaleString("en-US");
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// A colour of a ramp of #rrggbb at a place from 0 to 1.
function shade(ramp, place) {
  const at = clamp(place, 0, 1) * (ramp.length - 1);
  const first = ramp[Math.floor(at)], second = ramp[Math.ceil(at)];
  const mix = (k) => {
    const a = parseInt(first.slice(k, k + 2), 16), b = parseInt(second.slice(k, k + 2), 16);
    return Math.round(a + (b - a) * (at % 1));
  };
  return `rgb(${mix(1)},${mix(3)},${mix(5)})`;
}

function paled(colour, kept, to = [255, 255, 255]) {
  const parts = colour.match(/\d+/g).map((part, k) => Math.round(kept * part + (1 - kept) * to[k]));
  return `rgb(${parts.join(",")})`;
}

const scale3d = (ramp) => ramp.map((colour, k) => [k / (ramp.length - 1), colour]);
const dashed = (colour) => `repeating-linear-gradient(to right, ${colour} 0 5px, transparent 5px 8px)`;
const gradient = (ramp) => `linear-gradient(to right, ${ramp.join(",")})`;

function element(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  Object.assign(made, attributes);
  made.append(...inside);
  return made;
}
