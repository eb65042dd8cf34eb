/**
 * Prices from a gateway that requires tokens. They come from an OAuth 2.0 provider (client credentials); the client
 * library asks for another one before the present one expires, and the connection goes on:
 *
 *     TOKEN_URL=https://id.example/token CLIENT_ID=… CLIENT_SECRET=… node refresh.mjs wss://HOST/v1/stream 'SIM:S000*'
 */
import { TickgateClient } from "tickgate/client";

const { TOKEN_URL, CLIENT_ID, CLIENT_SECRET, TOKEN_RESOURCE } = process.env;
const [url, ...symbols] = process.argv.slice(2);
if (symbols.length === 0 || !TOKEN_URL || !CLIENT_ID || !CLIENT_SECRET) {
  console.error("usage: TOKEN_URL=… CLIENT_ID=… CLIENT_SECRET=… node refresh.mjs URL SYMBOL…");
  process.exit(2);
}

/** The client library repeats it, later each time, when it throws. */
async function token() {
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  // Which gateway the token is for (RFC 8707), where the provider wants to know that.
  if (TOKEN_RESOURCE) body.set("resource", TOKEN_RESOURCE);
  const credentials = [CLIENT_ID, CLIENT_SECRET].map(encodeURIComponent).join(":");
  const response = await fetch(TOKEN_URL, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(credentials)}` },
    body,
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`the provider answers ${response.status}`);
  const { access_token: access, expires_in: seconds } = await response.json();
  console.log(`a token for ${seconds} s`);
  return access;
}

const client = new TickgateClient(url, { token });
client.on("state", (state) => console.log(`prices are ${state}`));
client.on("error", (error) => console.error(error.message));
client.subscribe(symbols, { interval: 250 }, (quote) => {
  console.log(
    `${quote.symbol} bid=${quote.bid ?? "-"} ask=${quote.ask ?? "-"} ${quote.state} ${quote.reason}`.trimEnd(),
  );
});
process.once("SIGINT", () => client.close());
