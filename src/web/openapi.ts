/** The OpenAPI document is made from the routes' own schemas and from the access table: it cannot say otherwise. */
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import type { FastifySchema, RouteOptions } from "fastify";
import { accessOf, type Need } from "./access.js";
import { ProblemSchema } from "./schema.js";

const NEED_TEXT: Readonly<Record<Need, string>> = {
  none: "Open to anyone.",
  inside: "Open inside the network, else needs a token with the role viewer.",
  signature: "Needs the sender's signature.",
  viewer: "Needs a token with the role viewer or higher.",
  operator: "Needs a token with the role operator or higher.",
  admin: "Needs a token with the role admin.",
  drift: "Needs a token that was made for the purpose drift; no role is enough.",
};

export const OPENAPI: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: "3.1.0",
    info: {
      title: "AlgoBrain control plane",
      description: "Jobs, queues, alerts and runs. Errors are application/problem+json.",
      version: "1",
    },
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
      },
    },
  },
  // Only what the table knows; the preflight route of CORS hides itself.
  transform: ({ schema, url, route }) => ({ schema: describe(schema, url, route), url }),
};

function describe(schema: FastifySchema | undefined, url: string, route: RouteOptions) {
  const method = Array.isArray(route.method) ? (route.method[0] ?? "GET") : route.method;
  const access = accessOf(method, url);
  const isOpen = access.need === "none" || access.need === "signature";
  const safeMode = access.inSafeMode === "refused" ? " Refused in safe mode." : "";
  return {
    ...schema,
    description: NEED_TEXT[access.need] + safeMode,
    security: isOpen ? [] : [{ bearer: [] }],
    response: {
      ...((schema?.response as object | undefined) ?? {
        "2xx": { description: "Done or accepted." },
      }),
      default: { description: "A problem.", content: problemContent },
    },
  };
}

const problemContent = { "application/problem+json": { schema: ProblemSchema } };
