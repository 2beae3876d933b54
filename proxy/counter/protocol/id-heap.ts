/** Numbers of which only the least is of interest. */
export class IdHeap {
  readonly #ids: number[] = [];

  /** `Infinity` when there is none. */
  get least(): number {
    return this.#ids[0] ?? Number.POSITIVE_INFINITY;
  }

  add(id: number): void {
    const ids = this.#ids;
    let at = ids.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (ids[parent]! <= id) break;
      ids[at] = ids[parent]!;
      at = parent;
    }
    ids[at] = id;
  }

  removeLeast(): void {
    const ids = this.#ids;
    const last = ids.pop();
    const { length } = ids;
    if (last === undefined || length === 0) return;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && ids[child + 1]! < ids[child]!) child++;
      if (ids[child]! >= last) break;
      ids[at] = ids[child]!;
      at = child;
    }
    ids[at] = last;
  }
}
