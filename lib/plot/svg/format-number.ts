// Numbers on axes: as Plotly writes them by itself (k, M, µ where they are large or small), and the part of d3's format language
// that figures use. Pure.

const PREFIX: Readonly<Record<number, string>> = {
  ...{ [-12]: "p", [-9]: "n", [-6]: "μ", [-3]: "m", 3: "k", 6: "M", 9: "B", 12: "T" },
};

const minus = (text: string) => text.replace(/^-/, "−");

/** A tick among ticks `step` apart, none larger than `most`. */
export function tickText(value: number, step: number, most: number): string {
  const size = most > 0 ? Math.floor(Math.log10(most) + 0.01) : 0;
  const power = Math.abs(size) > 3 ? 3 * Math.round((size - 1) / 3) : 0;
  const known = power === 0 || PREFIX[power] !== undefined;
  const scaled = known ? value / 10 ** power : value;
  if (Math.abs(value) < step * 1e-6) return "0";
  if (!known) return minus(value.toExponential(2).replace(/\.?0+e/, "e"));
  const digits = placesOf(step / 10 ** power);
  const text = scaled.toFixed(digits);
  return minus(grouped(text.includes(".") ? text.replace(/\.?0+$/, "") : text)) + (PREFIX[power] ?? "");
}

/** Decimal places that a number needs, of six figures. */
export function placesOf(value: number): number {
  const [figures = "", power = "0"] = value.toExponential(5).split("e");
  return Math.min(
    12,
    Math.max(0, figures.replace(/\.?0+$/, "").replace(/^-?\d\.?/, "").length - Number(power)),
  );
}

/** Thousands apart from five digits on. */
function grouped(text: string): string {
  const [whole = "", rest] = text.split(".");
  const apart = whole.replace("-", "").length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, ",") : whole;
  return rest === undefined ? apart : `${apart}.${rest}`;
}

const FORMAT = /^([+ ]?)(,?)(?:\.(\d{1,2}))?(~?)([%dfegrs]?)$/;

/** `value` by a format of d3's; undefined for a format that is not understood. */
export function formatted(value: number, format: string): string | undefined {
  const [match, sign, comma, digits, trim, type] = FORMAT.exec(format) ?? [];
  if (match === undefined || !Number.isFinite(value)) return undefined;
  const places = digits === undefined ? undefined : Number(digits);
  const text = plain(value, type!, places);
  const tidy =
    trim || type === "" ? text.replace(/(\.\d*?)0+(?=\D*$)/, "$1").replace(/\.(?=\D*$)/, "") : text;
  const apart = comma
    ? tidy.replace(/^(-?)(\d+)/, (_, s: string, whole: string) => s + whole.replace(/\B(?=(\d{3})+$)/g, ","))
    : tidy;
  return minus((sign === "+" && value > 0 ? "+" : "") + apart);
}

function plain(value: number, type: string, places: number | undefined): string {
  if (type === "%") return `${(value * 100).toFixed(places ?? 6)}%`;
  if (type === "d") return String(Math.round(value));
  if (type === "f") return value.toFixed(places ?? 6);
  if (type === "e") return value.toExponential(places ?? 6);
  if (type === "s") {
    const power =
      value === 0 ? 0 : Math.max(-12, Math.min(12, 3 * Math.floor(Math.log10(Math.abs(value)) / 3)));
    return (
      (value / 10 ** power).toPrecision(Math.max(1, places ?? 6)) + (PREFIX[power] ?? "").replace("B", "G")
    );
  }
  const precise = value.toPrecision(Math.max(1, places ?? 12));
  // d3's r: as many figures, never an exponent.
  return type === "r" && precise.includes("e") ? String(Number(precise)) : precise;
}
