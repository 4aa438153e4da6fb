/** The file of whoever called a function. Its stack tells; source maps, which would name another file, are not asked. */

/** The file, as a URL or a path, of the code that called `callee`; undefined for code without one. */
export function callerFile(callee: (...args: never[]) => unknown): string | undefined {
  const prepare: unknown = Reflect.get(Error, 'prepareStackTrace');
  const { stackTraceLimit } = Error;
  const trace: { stack?: unknown } = {};
  try {
    Error.stackTraceLimit = 1;
    Error.prepareStackTrace = (_, sites) => sites[0]?.getFileName() ?? undefined;
    Error.captureStackTrace(trace, callee);
    return typeof trace.stack === 'string' ? trace.stack : undefined;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Reflect.set(Error, 'prepareStackTrace', prepare);
  }
}
