// The few of Plotly's functions that the renderer calls.

declare module "plotly.js-dist" {
  export interface PlotlyFigure {
    data: object[];
    layout: object;
    config?: object;
    frames?: object[];
  }
  interface Plotly {
    react(node: HTMLElement, figure: PlotlyFigure): Promise<HTMLElement>;
    relayout(node: HTMLElement, changes: Record<string, unknown>): Promise<HTMLElement>;
    purge(node: HTMLElement): void;
  }
  const plotly: Plotly;
  export default plotly;
}
