import { describe, expect, test } from "vitest";
import { type Close, openInOrder } from "../../src/base/open-in-order.js";

describe("things that are opened in order", () => {
  const closed: string[] = [];
  const thing = (name: string): Close => {
    return async () => {
      closed.push(name);
      if (name.startsWith("stuck")) throw new Error(`${name} does not close`);
    };
  };
  const open = (...names: string[]) => {
    closed.length = 0;
    return openInOrder(async (opened) => {
      for (const name of names) {
        if (name === "broken") throw new Error("does not open");
        opened.push(thing(name));
      }
      return { names };
    });
  };

  test("are closed in reverse, once", async () => {
    const { names, close } = await open("database", "server");
    expect(names).toEqual(["database", "server"]);
    await Promise.all([close(), close()]);
    expect(closed).toEqual(["server", "database"]);
  });

  test("are closed when a later one does not open", async () => {
    await expect(open("database", "server", "broken")).rejects.toThrow("does not open");
    expect(closed).toEqual(["server", "database"]);
  });

  test("are closed though another cannot be, and the first trouble is told", async () => {
    const { close } = await open("database", "stuck server", "stuck worker");
    await expect(close()).rejects.toThrow("stuck worker does not close");
    expect(closed).toEqual(["stuck worker", "stuck server", "database"]);
  });
});
