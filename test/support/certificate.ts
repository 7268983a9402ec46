// Certificates made when they are needed, so that no private key lies in the repository: a self-signed one for `localhost`, and not
// for 127.0.0.1; and authorities that issue others.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export function makeCertificate(): Certificate {
  return makeAuthority("localhost", ["localhost"]);
}

export interface Authority extends Certificate {
  /** A certificate of that common name, for servers of these names and for clients. */
  issue(name: string, names?: readonly string[]): Certificate;
}

/** Its own certificate is its word for the others. */
export function makeAuthority(name: string, names: readonly string[] = []): Authority {
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = nameOf(name);
  return {
    ...encoded({ subject: issuer, issuer, names, publicKey: own.publicKey, isAuthority: names.length === 0 }, own),
    issue: (other, itsNames = []) => {
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const about = { subject: nameOf(other), issuer, names: itsNames, publicKey: pair.publicKey, isAuthority: false };
      return encoded(about, own, pair.privateKey);
    },
  };
}

interface About {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly names: readonly string[];
  readonly publicKey: KeyObject;
  readonly isAuthority: boolean;
}

/** X.509 in DER is nested (tag, length, content); nothing more than a client checks is in here. */
function encoded(about: About, signer: { readonly privateKey: KeyObject }, key = signer.privateKey): Certificate {
  const { subject, issuer, names, publicKey, isAuthority } = about;
  const algorithm = sequence(oid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const validity = sequence(utcTime("700101000000Z"), utcTime("491231235959Z"));
  const list = names.map((name) => der(0x82, Buffer.from(name)));
  const extensions = [
    ...(list.length > 0 ? [sequence(oid("551d11"), der(0x04, sequence(...list)))] : []), // subjectAltName
    ...(isAuthority ? [sequence(oid("551d13"), der(0x04, sequence(der(0x01, Buffer.from([0xff])))))] : []), // basicConstraints
  ];
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.from([1, ...randomBytes(7)])), // serial number
    algorithm,
    issuer,
    validity,
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : []),
  );
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", body, signer.privateKey)]));
  const lines =
    sequence(body, algorithm, signature)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return {
    key: key.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
  };
}

function nameOf(commonName: string): Buffer {
  return sequence(set(sequence(oid("550403"), der(0x0c, Buffer.from(commonName)))));
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function set(...parts: Buffer[]): Buffer {
  return der(0x31, ...parts);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function utcTime(text: string): Buffer {
  return der(0x17, Buffer.from(text));
}
