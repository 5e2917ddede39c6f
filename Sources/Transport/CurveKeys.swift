import CZeroMQ

/// The public half of a CURVE key pair: it names its holder, and may be shown to anyone.
public struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    /// Forty characters of Z85.
    let text: String

    /// The key in `text`, forty characters of Z85 without white space.
    public init(_ text: some StringProtocol) throws(TransportError) {
        self.text = try Z85.checked(String(text), name: "public key", showsValue: true)
    }

    /// The key in the 32 bytes of a ZAP request.
    init?(bytes: [UInt8]) {
        guard bytes.count == Z85.keyByteCount else { return nil }
        text = Z85.encode(bytes)
    }

    /// The key itself, as it stands in certificate files.
    public var description: String { text }
}

/// The secret half: whoever has it is its holder. It prints as `(secret key)`.
public struct SecretKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Forty characters of Z85.
    let text: String

    /// The key in `text`, forty characters of Z85 without white space.
    public init(_ text: some StringProtocol) throws(TransportError) {
        self.text = try Z85.checked(String(text), name: "secret key", showsValue: false)
    }

    /// Not the key: it must not reach a log.
    public var description: String { "(secret key)" }

    /// Nor does `dump` show it.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A CURVE key pair.
public struct KeyPair: Sendable {
    /// May be shown to anyone.
    public let publicKey: PublicKey
    /// Must not.
    public let secretKey: SecretKey

    /// A new pair from the system's randomness.
    public static func generate() throws(TransportError) -> KeyPair {
        guard zmq_has("curve") == 1 else { throw .withoutCurve }
        var publicText = [CChar](repeating: 0, count: Z85.keyCharacterCount + 1)
        var secretText = publicText
        guard zmq_curve_keypair(&publicText, &secretText) == 0 else {
            throw .lastFailure(of: "generating a key pair")
        }
        return KeyPair(
            publicKey: try PublicKey(Z85.text(publicText)),
            secretKey: try SecretKey(Z85.text(secretText)))
    }

    /// The pair to which `secretKey` belongs.
    public init(secretKey: SecretKey) throws(TransportError) {
        guard zmq_has("curve") == 1 else { throw .withoutCurve }
        var publicText = [CChar](repeating: 0, count: Z85.keyCharacterCount + 1)
        guard zmq_curve_public(&publicText, secretKey.text) == 0 else {
            throw .lastFailure(of: "deriving a public key")
        }
        self.init(publicKey: try PublicKey(Z85.text(publicText)), secretKey: secretKey)
    }

    private init(publicKey: PublicKey, secretKey: SecretKey) {
        self.publicKey = publicKey
        self.secretKey = secretKey
    }
}

/// What is wrong with the text of a key.
public enum KeyFault: Hashable, Sendable, CustomStringConvertible {
    /// Not forty characters.
    case length(name: String, characterCount: Int)
    /// Characters outside Z85; the value is there for public keys only.
    case characters(name: String, value: String?)

    /// What is wrong.
    public var description: String {
        switch self {
        case .length(let name, let characterCount):
            "a \(name) of \(characterCount) characters; it must have \(Z85.keyCharacterCount)"
        case .characters(let name, let value?): "'\(value)' is not a \(name)"
        case .characters(let name, nil): "the \(name) has characters that no key has"
        }
    }
}

/// Z85 (ZeroMQ RFC 32): four bytes in five printable characters.
enum Z85 {
    static let keyByteCount = 32
    static let keyCharacterCount = 40

    static func checked(
        _ text: String, name: String, showsValue: Bool
    ) throws(TransportError) -> String {
        guard text.utf8.count == keyCharacterCount else {
            throw .badKey(.length(name: name, characterCount: text.count))
        }
        var bytes = [UInt8](repeating: 0, count: keyByteCount)
        guard zmq_z85_decode(&bytes, text) != nil, encode(bytes) == text else {
            throw .badKey(.characters(name: name, value: showsValue ? text : nil))
        }
        return text
    }

    static func encode(_ bytes: [UInt8]) -> String {
        precondition(bytes.count == keyByteCount, "a key of \(bytes.count) bytes")
        var characters = [CChar](repeating: 0, count: keyCharacterCount + 1)
        let end = zmq_z85_encode(&characters, bytes, bytes.count)
        precondition(end != nil, "libzmq cannot encode a key")
        return text(characters)
    }

    static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
