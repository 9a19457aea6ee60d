/** Who waits for an answer of the server is told in the end, whatever happens to the answer. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Answers } from "../../src/store/answers.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

type Answer = (error: Error | null, value: string) => void;

function ask(answers: Answers) {
  let answer: Answer = () => {};
  const heard: string[] = [];
  void answers
    .to<string>((given) => {
      answer = given;
    })
    .then(
      (value) => heard.push(value),
      (error: Error) => heard.push(error.message),
    );
  return { heard, answer: (error: Error | null, value = "") => answer(error, value) };
}

test("an answer, or an error, goes to whoever asked", async () => {
  const answers = new Answers(1_000);
  const [one, other] = [ask(answers), ask(answers)];
  other.answer(new Error("refused"));
  one.answer(null, "one");
  await vi.advanceTimersByTimeAsync(0);
  expect([one.heard, other.heard]).toEqual([["one"], ["refused"]]);
});

test("what is not answered in time is given up, within a twentieth of it, and a late answer changes nothing", async () => {
  const answers = new Answers(1_000);
  const first = ask(answers);
  await vi.advanceTimersByTimeAsync(500);
  const second = ask(answers);
  await vi.advanceTimersByTimeAsync(499);
  expect(first.heard).toEqual([]);
  await vi.advanceTimersByTimeAsync(51);
  expect(first.heard).toEqual(["statement timeout: no answer in 1000 ms"]);
  second.answer(null, "in time");
  first.answer(null, "late");
  await vi.advanceTimersByTimeAsync(0);
  expect([first.heard.length, second.heard]).toEqual([1, ["in time"]]);
});

test("nothing is looked after when nothing is open, and all is again afterwards", async () => {
  const answers = new Answers(1_000);
  ask(answers).answer(null, "");
  await vi.advanceTimersByTimeAsync(50);
  expect(vi.getTimerCount()).toBe(0);
  const late = ask(answers);
  await vi.advanceTimersByTimeAsync(1_050);
  expect(late.heard).toHaveLength(1);
});

test("0 waits for ever", async () => {
  const patient = ask(new Answers(0));
  await vi.advanceTimersByTimeAsync(86_400_000);
  expect(patient.heard).toEqual([]);
});
