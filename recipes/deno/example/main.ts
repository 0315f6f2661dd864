// Says hello to whoever asks, and for how long it has been up.
import ms from "ms";

const started = performance.now();
const port = Number(Deno.env.get("PORT"));
const server = Deno.serve({ port }, () => new Response(`hello, up for ${ms(performance.now() - started)}\n`));
Deno.addSignalListener("SIGTERM", () => server.shutdown());
