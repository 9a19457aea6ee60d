/** What anyone may see: is it alive, is it well, what does it measure, what can be asked (EP-01, EP-24, EP-28). */
import type { FastifyInstance } from "fastify";
import { Type } from "../../base/type.js";
import type { WebDeps } from "../deps.js";
import { boundedHealth } from "../health.js";
import { renderIndexPage } from "../index-page.js";

const HealthSchema = Type.Object({
  status: Type.String({ enum: ["healthy", "degraded", "unhealthy"] }),
  timestamp: Type.String({ format: "date-time" }),
  services: Type.Object({}, { additionalProperties: true }),
});

export function statusRoutes(app: FastifyInstance, deps: WebDeps): void {
  healthRoutes(app, deps);
  metricsRoutes(app, deps);
  app.get("/", { schema: { summary: "A page that names the endpoints" } }, async (_, reply) =>
    reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'")
      .serializer((page: unknown) => String(page))
      .send(renderIndexPage(deps.config.environment)),
  );
  app.get("/documentation/json", { schema: { summary: "This description" } }, async () =>
    app.swagger(),
  );
}

function healthRoutes(app: FastifyInstance, deps: WebDeps): void {
  const health = boundedHealth(() => deps.health(), deps.clock);
  const schema = {
    summary: "Health of the system; 503 when database or orchestrator is down",
    response: { 200: HealthSchema, 503: HealthSchema },
  };
  for (const path of ["/health", "/api/health"]) {
    app.get(path, { schema }, async (_, reply) => {
      const report = await health();
      return reply.code(report.status === "unhealthy" ? 503 : 200).send(report);
    });
  }
  // For balancers and containers: says nothing about dependencies, so that their failure ends no task.
  app.get("/health/live", { schema: { summary: "This process answers" } }, async () => ({
    status: "live",
  }));
}

function metricsRoutes(app: FastifyInstance, deps: WebDeps): void {
  let running: ReturnType<WebDeps["metrics"]["render"]> | null = null;
  const render = () => {
    running ??= deps.metrics.render().finally(() => {
      running = null;
    });
    return running;
  };
  const schema = { summary: "Metrics in the exposition format of Prometheus" };
  for (const path of ["/metrics", "/api/about/metrics/prometheus"]) {
    app.get(path, { schema }, async (_, reply) => {
      const { contentType, body } = await render();
      return reply
        .type(contentType)
        .serializer((exposition: unknown) => String(exposition))
        .send(body);
    });
  }
}
