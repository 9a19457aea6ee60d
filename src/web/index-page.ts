/** The page at `/`: what this is and which endpoints there are, straight from the access table. */
import { ACCESS } from "./access.js";

export function renderIndexPage(environment: string): string {
  const rows = Object.entries(ACCESS)
    .filter(([route]) => !route.startsWith("OPTIONS"))
    .map(([route, { need }]) => `<tr><td><code>${route}</code></td><td>${need}</td></tr>`)
    .join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>AlgoBrain control plane (${environment})</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
td { padding: 0 1.5rem 0 0 }
</style>
</head>
<body>
<h1>AlgoBrain control plane</h1>
<p>Environment: ${environment}. <a href="/health">Health</a>, <a href="/metrics">metrics</a>,
<a href="/documentation/json">OpenAPI</a>. Tokens: <code>algobrain token --role viewer</code>.</p>
<table>
<tr><th align="left">Endpoint</th><th align="left">Needs</th></tr>
${rows}
</table>
</body>
</html>
`;
}
