/** The metrics of the certificate; without one there is no time until it expires. */
import type { TlsCertificate } from "../../gateway/http/tls_certificate.ts";
import type { Page } from "./page.ts";

export function showCertificate(page: Page, certificate: TlsCertificate | undefined): void {
  page.gauge(
    "tickgate_certificate_expires_seconds",
    "Time until the certificate expires; negative afterwards",
    () => certificate?.secondsLeft ?? Number.NaN,
  );
  page.counter(
    "tickgate_certificate_reloads_total",
    "Renewed certificates that are in use",
    () => certificate?.reloads ?? 0,
  );
  page.counter(
    "tickgate_certificate_reload_failures_total",
    "Changed files that could not be used; the old certificate stays",
    () => certificate?.failures ?? 0,
  );
}
