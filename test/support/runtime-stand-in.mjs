// Answers as a runtime does when it is asked which drift is known: temporary changes are those of the file that is named. In a
// process of its own, because the workflows of tests block theirs. Writes its port to standard output.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const [, , file] = process.argv;
const server = createServer((request, response) => {
  const changes = JSON.parse(readFileSync(String(file), "utf8"));
  const body = request.url === "/health" ? { drift: [] } : { changes };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.stdout.write(`${address.port}\n`);
});
