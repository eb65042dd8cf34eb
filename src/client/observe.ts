/**
 * Hides symbols whose rows leave the screen, so that they are updated less often, and shows them when they come back.
 * @module tickgate/client/observe
 */
import type { Subscription } from "./sync/subscription.ts";

/** What is used of an IntersectionObserver. */
interface Observer {
  observe(element: object): void;
  unobserve(element: object): void;
  disconnect(): void;
}
type ObserverConstructor = new (
  callback: (entries: readonly { readonly target: object; readonly isIntersecting: boolean }[]) => void,
  options: { rootMargin: string },
) => Observer;

/** The observed elements of one subscription. */
interface Watch {
  readonly observer: Observer;
  readonly symbols: Map<object, readonly string[]>;
  readonly visible: Set<object>;
}

/** How far beyond the edge of the screen a row counts as visible: scrolling shows it within a moment. */
const MARGIN = "200px";
const WATCHES = new WeakMap<Subscription, Watch>();

/**
 * Hides the symbols of an element while it is off the screen, and shows them while it is on it. A symbol with
 * several elements is shown as long as one of them is visible.
 * @param symbols what the element shows: symbols, no patterns
 * @returns a function that ends this; the symbols then count as shown
 * @throws Error where there is no IntersectionObserver
 */
export function observe(element: object, symbols: string | readonly string[], subscription: Subscription): () => void {
  const watch = WATCHES.get(subscription) ?? begin(subscription);
  watch.symbols.set(element, typeof symbols === "string" ? [symbols] : symbols);
  watch.observer.observe(element);
  return () => {
    const own = watch.symbols.get(element);
    if (!own) return;
    watch.observer.unobserve(element);
    watch.symbols.delete(element);
    watch.visible.delete(element);
    if (watch.symbols.size === 0) {
      watch.observer.disconnect();
      WATCHES.delete(subscription);
    }
    subscription.show(own);
  };
}

function begin(subscription: Subscription): Watch {
  const { IntersectionObserver } = globalThis as { IntersectionObserver?: ObserverConstructor };
  if (!IntersectionObserver) throw new Error("there is no IntersectionObserver here");
  const symbols = new Map<object, readonly string[]>();
  const visible = new Set<object>();
  const observer = new IntersectionObserver(
    (entries) => {
      const changed = new Set<string>();
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) visible.add(target);
        else visible.delete(target);
        for (const symbol of symbols.get(target) ?? []) changed.add(symbol);
      }
      const shown = new Set<string>();
      for (const target of visible) for (const symbol of symbols.get(target) ?? []) shown.add(symbol);
      subscription.show([...changed].filter((symbol) => shown.has(symbol)));
      subscription.hide([...changed].filter((symbol) => !shown.has(symbol)));
    },
    { rootMargin: MARGIN },
  );
  const watch = { observer, symbols, visible };
  WATCHES.set(subscription, watch);
  return watch;
}
