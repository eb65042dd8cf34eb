/** A row's trend as a line: where the price has been since the page first saw it. */
import type { History } from "./history.ts";
import type { Palette } from "./palette.ts";

/** Room for the line's own width at the edges, CSS pixels. */
const MARGIN = 2;

export class Sparkline {
  readonly canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #width = 0;
  #height = 0;

  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.#context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
  }

  /** @param width and height in CSS pixels */
  resize(width: number, height: number): void {
    if (width === this.#width && height === this.#height) return;
    this.#width = width;
    this.#height = height;
    const scale = Math.min(window.devicePixelRatio, 2);
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
  }

  /** @param reference the price that decides the colour and is drawn as a level: the open */
  draw(history: History, reference: number | null, palette: Palette): void {
    const context = this.#context;
    const [width, height] = [this.#width, this.#height];
    context.clearRect(0, 0, width, height);
    const count = history.length;
    if (count === 0) return;
    let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let index = 0; index < count; index++) {
      const price = history.closeAt(index);
      if (price < lowest) lowest = price;
      if (price > highest) highest = price;
    }
    const first = history.timeAt(0);
    const span = Math.max(history.timeAt(count - 1) - first, 1);
    const rise = highest - lowest;
    const x = (index: number) => MARGIN + ((history.timeAt(index) - first) / span) * (width - 2 * MARGIN - 2);
    // A price that has not moved is a line in the middle.
    const y = (price: number) =>
      rise === 0 ? height / 2 : MARGIN + ((highest - price) / rise) * (height - 2 * MARGIN);

    if (reference !== null && reference >= lowest && reference <= highest && rise > 0) {
      context.strokeStyle = palette.line;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(0, y(reference));
      context.lineTo(width, y(reference));
      context.stroke();
    }
    const last = history.closeAt(count - 1);
    const isUp = reference === null || last === reference ? undefined : last > reference;
    const colour = isUp === undefined ? palette.dim : isUp ? palette.up : palette.down;
    context.strokeStyle = colour;
    context.lineWidth = 1.25;
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(x(0), y(history.closeAt(0)));
    for (let index = 1; index < count; index++) context.lineTo(x(index), y(history.closeAt(index)));
    context.stroke();
    context.fillStyle = colour;
    context.beginPath();
    context.arc(count === 1 ? MARGIN : x(count - 1), y(last), 1.75, 0, 7);
    context.fill();
  }
}
