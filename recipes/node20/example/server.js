// Says hello to whoever asks, and for how long it has been up.
const http = require("node:http");
const ms = require("ms");

const server = http.createServer((_, response) => response.end(`hello, up for ${ms(process.uptime() * 1000)}\n`));
server.listen(process.env.PORT);
process.on("SIGTERM", () => server.close());
