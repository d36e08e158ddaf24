// The extension's icons, drawn so that JupyterLab's themes colour them: its rules recolour every `fill` attribute, so what is
// hollow says so in its style. Constant texts; nothing of a notebook is in them.

import { LabIcon } from "@jupyterlab/ui-components";

const icon = (name: string, body: string) =>
  new LabIcon({
    name: `lensor:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">${body}</svg>`,
  });

/** A hollow bar, as stale cells have it, and a play sign. */
export const runStaleIcon = icon(
  "run-stale",
  '<rect class="jp-icon3" style="fill:none" x="2.75" y="2.75" width="3" height="10.5" rx="1.5" stroke="#616161" stroke-width="1.5"/><path class="jp-icon3" fill="#616161" d="M8.5 3.6v8.8a.6.6 0 0 0 .92.5l6-4.4a.6.6 0 0 0 0-1l-6-4.4a.6.6 0 0 0-.92.5z"/>',
);

/** Cells below one another, joined at the side. */
export const graphIcon = icon(
  "graph",
  '<g class="jp-icon3" fill="#616161"><circle cx="11" cy="3" r="1.9"/><circle cx="11" cy="8" r="1.9"/><circle cx="11" cy="13" r="1.9"/></g><path class="jp-icon3" style="fill:none" stroke="#616161" stroke-width="1.2" d="M9 3C1 3 1 13 9 13M9 3C5.5 3 5.5 8 9 8"/>',
);

/** Names and what they hold. */
export const variablesIcon = icon(
  "variables",
  '<g class="jp-icon3" fill="#616161"><rect x="1.5" y="2.5" width="4.5" height="1.8" rx=".9"/><rect x="1.5" y="7.1" width="4.5" height="1.8" rx=".9"/><rect x="1.5" y="11.7" width="4.5" height="1.8" rx=".9"/><rect x="8" y="2.5" width="6.5" height="1.8" rx=".9" opacity=".6"/><rect x="8" y="7.1" width="4.5" height="1.8" rx=".9" opacity=".6"/><rect x="8" y="11.7" width="5.5" height="1.8" rx=".9" opacity=".6"/></g>',
);
