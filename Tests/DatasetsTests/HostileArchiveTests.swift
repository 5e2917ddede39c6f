import Foundation
import SweepModel
import Testing

@testable import Datasets

@Suite struct HostileArchiveTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The two files of a CIFAR-100, and what comes between them.
    private func archive(with add: (inout Tar) -> Void) -> [UInt8] {
        var tar = Tar()
        tar.add("cifar-100-binary/", kind: .folder)
        tar.add("cifar-100-binary/train.bin", [1, 99] + [UInt8](repeating: 5, count: 3_072))
        add(&tar)
        tar.add("cifar-100-binary/test.bin", [2, 7] + [UInt8](repeating: 6, count: 3_072))
        return gzip(tar.finished)
    }

    /// What unpacking and reading say of it; both must say the same.
    private func errors(_ bytes: [UInt8]) throws -> [DatasetError?] {
        let path = "\(folder.path)/a.tar.gz"
        try folder.write(bytes, to: "a.tar.gz")
        let target = "\(folder.path)/inside/target"
        try FileManager.default.createDirectory(
            atPath: target, withIntermediateDirectories: true)
        var errors: [DatasetError?] = []
        do {
            try DatasetSource.unpack(.cifar100, archive: path, into: target)
            errors.append(nil)
        } catch { errors.append(error) }
        do {
            _ = try CIFAR(.cifar100).load(archive: path)
            errors.append(nil)
        } catch { errors.append(error) }
        let outside = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(Set(outside) == ["a.tar.gz", "inside"], "nothing is written outside")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/inside") == [
                "target"
            ])
        return errors
    }

    @Test("an archive without a fault is unpacked")
    func harmless() throws {
        let bytes = archive { $0.add("cifar-100-binary/fine_label_names.txt", Array("apple".utf8)) }
        #expect(try errors(bytes) == [nil, nil])
    }

    @Test(
        "a member that leads out of the folder is refused, also if its file's name is right",
        arguments: [
            ("../train.bin", "leads out of its folder"),
            ("cifar-100-binary/../../train.bin", "leads out of its folder"),
            ("a/..", "leads out of its folder"),
            ("/tmp/train.bin", "has an absolute path"),
            ("//train.bin", "has an absolute path"),
            ("cifar-100-binary/train.bin", "is there twice"),
        ])
    func path(_ name: String, _ reason: String) throws {
        let error = DatasetError.refusedMember(
            path: "\(folder.path)/a.tar.gz", member: name, reason: reason)
        #expect(try errors(archive { $0.add(name, [1, 2, 3]) }) == [error, error])
        #expect(error.description.contains(name) && error.hint.contains("alsweep data fetch"))
    }

    @Test(
        "links, devices and pipes are refused",
        arguments: [
            (Tar.Kind.symbolicLink, "/etc/passwd", "is neither a file nor a folder"),
            (.symbolicLink, "..", "is neither a file nor a folder"),
            (.hardLink, "/etc/passwd", "is a hard link"),
            (.characterDevice, "", "is neither a file nor a folder"),
            (.pipe, "", "is neither a file nor a folder"),
        ])
    func kind(_ kind: Tar.Kind, _ link: String, _ reason: String) throws {
        let name = "cifar-100-binary/test.bin"
        let error = DatasetError.refusedMember(
            path: "\(folder.path)/a.tar.gz", member: name, reason: reason)
        #expect(try errors(archive { $0.add(name, kind: kind, link: link) }) == [error, error])
    }

    @Test("a giant member is refused before a byte of it is written")
    func giant() throws {
        let size = 8_000_000_000
        let bytes = archive { $0.add("cifar-100-binary/test.bin", announced: size) }
        for error in try errors(bytes) {
            guard case .refusedMember(_, _, let reason) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(reason.contains("is too large"))
        }
        let target = "\(folder.path)/inside/target"
        #expect(try FileManager.default.contentsOfDirectory(atPath: target) == ["train.bin"])
    }

    @Test("members that are too large together, and too many, are refused")
    func limits() throws {
        try folder.write(archive { _ in }, to: "a.tar.gz")
        let path = "\(folder.path)/a.tar.gz"
        func unpack(_ limits: DatasetArchive.Limits) throws(DatasetError) {
            try? FileManager.default.removeItem(atPath: folder.path + "/t")
            try? FileManager.default.createDirectory(
                atPath: folder.path + "/t", withIntermediateDirectories: true)
            try DatasetSource.unpack(
                .cifar100, archive: path, into: folder.path + "/t", limits: limits)
        }
        try unpack(DatasetArchive.Limits(memberCount: 3, byteCount: 2 * 3_074))
        #expect(throws: DatasetError.self) {
            try unpack(DatasetArchive.Limits(memberCount: 2, byteCount: 2 * 3_074))
        }
        #expect(throws: DatasetError.self) {
            try unpack(DatasetArchive.Limits(memberCount: 3, byteCount: 2 * 3_074 - 1))
        }
    }

    @Test("a link that lies in the folder already is not followed")
    func plantedLink() throws {
        try folder.write(archive { _ in }, to: "a.tar.gz")
        let target = "\(folder.path)/t"
        try FileManager.default.createDirectory(
            atPath: target, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: target + "/train.bin", withDestinationPath: "\(folder.path)/victim")
        #expect(throws: DatasetError.unwritable(path: target + "/train.bin", code: EEXIST)) {
            try DatasetSource.unpack(
                .cifar100, archive: "\(folder.path)/a.tar.gz", into: target)
        }
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/victim"))
    }

    @Test("an archive that lacks a file, breaks off, or is none is named")
    func damaged() throws {
        var tar = Tar()
        tar.add("cifar-100-binary/train.bin", [1, 99] + [UInt8](repeating: 5, count: 3_072))
        let lacking = DatasetError.incomplete(
            .cifar100, folder: "\(folder.path)/a.tar.gz", missing: "test.bin")
        #expect(try errors(gzip(tar.finished)) == [lacking, lacking])
        try? FileManager.default.removeItem(atPath: "\(folder.path)/inside")
        for bytes in [archive { _ in }.dropLast(3_000), Array("no archive at all".utf8)] {
            for error in try errors(Array(bytes)) {
                guard case .damagedArchive = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
            try? FileManager.default.removeItem(atPath: "\(folder.path)/inside")
        }
    }
}
