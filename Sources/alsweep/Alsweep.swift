import ArgumentParser

@main
struct Alsweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alsweep", abstract: "Distributed sweeps of active-learning experiments.")
}
