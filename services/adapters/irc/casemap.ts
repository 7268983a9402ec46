// Which names are the same name on a server: `#Ops` and `#ops`, and on older servers `a[` and `A{`.

/** As a server names it in ISUPPORT; an unknown one counts as the oldest, which is also the default. */
export type Casemapping = string;

export function fold(name: string, mapping: Casemapping): string {
  switch (mapping.toLowerCase()) {
    case "ascii":
      return asciiLower(name);
    case "rfc7613":
    case "rfc8265":
    case "precis":
      return name.normalize("NFC").toLowerCase();
    case "rfc1459-strict":
      return asciiLower(name).replace(/[[\]\\]/g, (sign) => LOWER[sign] ?? sign);
    default:
      return asciiLower(name).replace(/[[\]\\~]/g, (sign) => LOWER[sign] ?? sign);
  }
}

const LOWER: Readonly<Record<string, string>> = { "[": "{", "]": "}", "\\": "|", "~": "^" };

function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
