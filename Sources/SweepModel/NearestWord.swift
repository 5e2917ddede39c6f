/// The word of `words` that a mistyped one most likely stands for: the one that fewest edits away
/// (Levenshtein distance), if these are few enough to be a slip. Ties go to the earlier word.
public func nearestWord(to typed: String, among words: [String]) -> String? {
    let typed = typed.lowercased()
    let limit = max(2, typed.count / 3)
    var nearest: (word: String, distance: Int)?
    for word in words {
        let distance = editDistance(Array(typed), Array(word.lowercased()))
        if distance <= limit, distance < nearest?.distance ?? Int.max {
            nearest = (word, distance)
        }
    }
    return nearest?.word
}

private func editDistance(_ first: [Character], _ second: [Character]) -> Int {
    var previous = Array(0...second.count)
    for (row, character) in first.enumerated() {
        var current = [row + 1]
        for (column, other) in second.enumerated() {
            let substitution = previous[column] + (character == other ? 0 : 1)
            current.append(min(substitution, previous[column + 1] + 1, current[column] + 1))
        }
        previous = current
    }
    return previous[second.count]
}
