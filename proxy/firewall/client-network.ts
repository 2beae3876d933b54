/**
 * What the client-address rule counts: an IPv4 address as it is, an IPv6 address by its /64.
 *
 * A /64 is what one subscriber line or one host gets (RFC 6177, RFC 7421), with 2^64 addresses to pick from at will
 * (RFC 8981), so that a limit by single IPv6 address would limit nobody.
 *
 * @param address an IP address; IPv4-mapped addresses are expected as IPv4
 */
export function clientNetwork(address: string): string {
  return address.includes(':') ? network64(address) : address;
}

/** The first four groups, without leading zeros, and `::/64`. */
function network64(address: string): string {
  const zone = address.indexOf('%');
  const text = zone < 0 ? address : address.slice(0, zone);
  const gap = text.indexOf('::');
  const head = groups(gap < 0 ? text : text.slice(0, gap));
  if (gap >= 0) {
    const tail = groups(text.slice(gap + 2));
    // An embedded IPv4 address (`::ffff:192.0.2.1`) fills two groups.
    const tailLength = tail.length + (text.includes('.') ? 1 : 0);
    const zeros = 8 - head.length - tailLength;
    for (let i = 0; i < zeros; i++) head.push('0');
    head.push(...tail);
  }
  return `${head.slice(0, 4).map(plain).join(':')}::/64`;
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

function plain(group: string): string {
  let start = 0;
  while (start < group.length - 1 && group[start] === '0') start++;
  return group.slice(start).toLowerCase();
}
