// Numbers as people say them: sizes, counts, durations, values to three figures. Pure; never depends on the locale.

/** Between thousands: narrow enough to read as one number, and it never breaks a line. */
const thin = "\u202f";

/** `1 234 567` with thin separators. */
export function formatCount(count: number | bigint): string {
  const [whole, fraction] = String(count).split(".");
  const grouped = /e/i.test(whole!) ? whole! : whole!.replace(/\B(?=(\d{3})+$)/g, thin);
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** Three significant figures: `0.0123`, `1.50`, `123`, `1.2e-7` for what is far from one. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size < 1e-4 || size >= 1e6) return sign + size.toExponential(2).replace("e+", "e").replace("e-", "e−");
  const text = size.toPrecision(3);
  return sign + (text.includes("e") || size >= 1000 ? formatCount(Math.round(size)) : text);
}

/** Bytes in decimal units, three figures: `98.4 MB`, `1.21 GB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, ["B", "kB", "MB", "GB", "TB"]);
}

/** Parameters and the like: `135 M`, `1.24 B`. */
export function formatParameters(count: number): string {
  return scaled(count, ["", "k", "M", "B", "T"]).trim();
}

/** Durations as people say them: `12 ms`, `1.2 s`, `3 min`, `2 h 10 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}

function scaled(amount: number, units: readonly string[]): string {
  let at = 0;
  let value = amount;
  while (at < units.length - 1 && Number(value.toPrecision(3)) >= 1000) {
    value /= 1000;
    at++;
  }
  const text =
    at === 0
      ? formatCount(value)
      : Number(value.toPrecision(3)) >= 100
        ? String(Math.round(value))
        : value.toPrecision(3);
  return `${text} ${units[at]}`;
}
