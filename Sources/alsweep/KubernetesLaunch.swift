import Foundation
import Launchers
import SweepModel
import Transport

/// What a kubernetes group means for a sweep: objects that kubectl brings up.
struct KubernetesLaunch {
    let group: KubernetesGroup
    let engine: EngineName?
    let precision: PrecisionSetting?
    /// The server's, with the client's beside it.
    let certificate: String?

    static let notStartedHere = CommandFailure(
        "a sweep in Kubernetes is not started from here: its coordinator runs there, too",
        hint: "alsweep launch SWEEP --cluster FILE --certificate keys/server.cert --dry-run "
            + "| kubectl apply -f -",
        status: ExitStatusCode.usage)

    func manifest(of sweep: Sweep, text: String) throws -> String {
        var options: [String] = []
        if let engine { options += ["--engine", engine.rawValue] }
        if let precision { options += ["--precision", name(of: precision)] }
        return try KubernetesManifest(
            group, sweep: sweep.name, text: text, launchOptions: options, keys: try keys()
        ).text()
    }

    private func name(of precision: PrecisionSetting) -> String {
        switch precision {
        case .fixed(let precision): precision.rawValue
        case .automatic: "auto"
        }
    }

    private func keys() throws -> KubernetesManifest.Keys? {
        guard group.secret == nil else { return nil }
        guard let certificate else {
            throw CommandFailure(
                "coordinator and workers need keys, and there are none",
                hint: "alsweep keys new keys, and add --certificate keys/server.cert; or name a "
                    + "Secret with server.cert and client.cert in the cluster file: secret: NAME")
        }
        let client = URL(fileURLWithPath: certificate).deletingLastPathComponent()
            .appendingPathComponent("client.cert").path
        // They have to be what they are named, and nobody else's.
        _ = try ServerCertificate(path: certificate)
        _ = try ClientCertificate(path: client)
        return KubernetesManifest.Keys(
            server: try String(contentsOfFile: certificate, encoding: .utf8),
            client: try String(contentsOfFile: client, encoding: .utf8))
    }
}
