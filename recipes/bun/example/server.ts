// Says hello to whoever asks, and for how long it has been up.
import ms from "ms";

const server = Bun.serve({
  port: process.env.PORT,
  fetch: () => new Response(`hello, up for ${ms(Math.round(process.uptime() * 1000))}\n`),
});
process.on("SIGTERM", () => server.stop());
