/** A loopback host of repositories: `git http-backend` behind a plain HTTP server, as GitHub answers `git fetch`. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface GitHost {
  readonly origin: string;
  /** Every request so far: `POST /o/r.git/git-upload-pack`. */
  readonly requests: string[];
  /** Answers instead of git as long as it is set. Return true when it has answered. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | null;
  /** When set, only requests with this header value are answered. */
  authorization: string | null;
}

/** Lets every repository below `folder` be cloned in part, as GitHub does. */
export function allowFilters(folder: string): void {
  const text = "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n";
  writeFileSync(join(folder, "host.config"), `${text}[safe]\n\tdirectory = *\n`);
}

/** Serves the bare repositories below `folder`: `folder/o/r.git` is `<origin>/o/r.git`. */
export async function withGitHost(
  folder: string,
  test: (host: GitHost) => Promise<void>,
): Promise<void> {
  const host = { origin: "", requests: [] as string[] };
  const state: GitHost = Object.assign(host, { intercept: null, authorization: null });
  const server = createServer((request, response) => {
    state.requests.push(`${request.method} ${request.url}`);
    if (state.authorization !== null && request.headers.authorization !== state.authorization)
      response.writeHead(401).end();
    else if (!state.intercept?.(request, response)) runBackend(folder, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await test(state);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function runBackend(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "http://localhost");
  const child = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      GIT_CONFIG_GLOBAL: join(folder, "host.config"),
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      REQUEST_METHOD: request.method ?? "GET",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: String(request.headers["content-type"] ?? ""),
      HTTP_CONTENT_ENCODING: String(request.headers["content-encoding"] ?? ""),
    },
  });
  // Whoever asked may have gone.
  child.stdin.on("error", () => {});
  request.pipe(child.stdin);
  answerWith(child.stdout, response);
}

/** The head of a CGI answer (RFC 3875), then its body as it comes. */
function answerWith(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let head = Buffer.alloc(0);
  let hasBegun = false;
  output.on("data", (chunk: Buffer) => {
    if (hasBegun) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end === -1) return;
    hasBegun = true;
    const fields = head.subarray(0, end).toString("latin1").split("\r\n");
    const headers = fields
      .map((field) => /^([^:]+): (.*)$/.exec(field))
      .filter((one) => one !== null);
    for (const [, name, value] of headers) response.setHeader(name ?? "", value ?? "");
    response.statusCode = Number.parseInt(String(response.getHeader("status") ?? 200), 10);
    response.write(head.subarray(end + 4));
  });
  output.on("end", () => response.end());
}
