/** Registers tests, each with a scene of its own, and checks after each that nothing has been left behind. */
import { it, type TestContext } from 'node:test';
import { watchLeaks } from './leaks.ts';
import { Scene, type Subject } from './scene.ts';

/** The body of a test. */
export type TestBody = (scene: Scene, context: TestContext) => Promise<void>;

/** What the files of tests register themselves with. */
export class Suite {
  readonly subject: Subject;
  /** The folder in which this run makes temporary stores. */
  readonly folder: string;
  /** Milliseconds that one test may take. */
  readonly timeout: number;
  /** Set when a test has failed, so that what it left is kept. */
  failed = false;
  readonly #notRun: string[] = [];

  constructor(subject: Subject, folder: string, timeout: number) {
    this.subject = subject;
    this.folder = folder;
    this.timeout = timeout;
  }

  /** Names of the tests that need other processes and were not registered, since the protocol reaches only one. */
  get notRun(): readonly string[] {
    return this.#notRun;
  }

  /** Registers a test. */
  test(name: string, body: TestBody): void {
    it(name, (context) => this.#run(body, context));
  }

  /** Registers a test that needs other processes; where the protocol has none, the capability's own test stands for it. */
  crossProcess(name: string, body: TestBody): void {
    if (this.subject.capabilities.crossProcess) this.test(name, body);
    else this.#notRun.push(name);
  }

  async #run(body: TestBody, context: TestContext): Promise<void> {
    const assertNoLeaks = watchLeaks(this.folder);
    const scene = new Scene(this.subject);
    try {
      await this.#inTime(body(scene, context));
    } catch (error) {
      this.failed = true;
      context.diagnostic(await scene.abandon());
      throw error;
    }
    await scene.end();
    await assertNoLeaks();
  }

  /** The limit is kept here and not by the runner, which would leave a test's children and loops to themselves. */
  async #inTime(work: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const text = `the test has not ended in ${this.timeout} ms`;
      timer = setTimeout(() => reject(new Error(text)), this.timeout);
    });
    try {
      await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
