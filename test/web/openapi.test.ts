import { describe, expect, it } from "vitest";
import { ACCESS, routeKey } from "../../src/web/access.js";
import { withServer } from "./harness.js";

interface Operation {
  readonly responses: object;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly security?: readonly object[];
}

describe("what the API says about itself", () => {
  it("is OpenAPI that lists every route with what it needs", () =>
    withServer(async (app) => {
      const document = (await app.inject("/documentation/json")).json();
      expect(document.openapi).toMatch(/^3\./);
      const described = Object.entries<Record<string, { security?: object[] }>>(
        document.paths,
      ).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { security }]) => ({
          key: routeKey(method.toUpperCase(), path.replace(/\{(\w+)\}/g, ":$1")),
          open: security?.length === 0,
        })),
      );
      const own = Object.entries(ACCESS)
        .filter(([key]) => !/^OPTIONS|slack|pagerduty/.test(key))
        .map(([key, { need }]) => ({ key, open: need === "none" || need === "signature" }));
      const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1);
      expect(described.sort(byKey)).toEqual(own.sort(byKey));
    }));

  it("resolves every reference and describes each answer", () =>
    withServer(async (app) => {
      const document = (await app.inject("/documentation/json")).json();
      const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
      for (const [, path] of references) {
        const target = path!.split("/").reduce((node, key) => node?.[key], document);
        expect(target, path).toBeDefined();
      }
      for (const [path, methods] of Object.entries<Record<string, Operation>>(document.paths)) {
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        for (const { responses, parameters = [] } of Object.values(methods)) {
          expect(Object.keys(responses)).toContain("default");
          const declared = parameters.filter((one) => one.in === "path").map(({ name }) => name);
          expect(declared).toEqual(inPath);
        }
      }
    }));

  it("is a page that names the endpoints (EP-28)", () =>
    withServer(async (app) => {
      const page = await app.inject("/");
      expect(page.headers["content-type"]).toContain("text/html");
      expect(page.body).toContain("POST /api/v1/jobs");
      expect(page.body).toContain("/documentation/json");
      expect((await app.inject({ method: "HEAD", url: "/" })).statusCode).toBe(200);
    }));
});
