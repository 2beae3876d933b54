/** How far a relay has come with its present attempt. */
export const STAGE = {
  idle: 0,
  connecting: 1,
  /** The request is on its way, or the backend is thinking. */
  waiting: 2,
  /** The response head is there, but its body has to wait for an admission. */
  holding: 3,
  responding: 4,
  done: 5,
} as const;
