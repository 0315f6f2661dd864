const http = require("node:http");
const ms = require("ms");

const server = http.createServer((_, response) => response.end(`${process.env.PREFIX}, ${ms(60000)}\n`));
server.listen(process.env.PORT);
process.on("SIGTERM", () => server.close());
