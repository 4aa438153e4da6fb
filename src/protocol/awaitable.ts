/** An answer now, or later: protocols whose system calls do not wait answer at once. */
export type Awaitable<T> = T | Promise<T>;
