package log

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
)

// TestSealed runs the tests of a log again, with encryption: newRig looks at the test's name.
func TestSealed(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"EveryFlippedBitBelowASyncedHeaderIsFound":    TestEveryFlippedBitBelowASyncedHeaderIsFound,
		"AMissingGroupIsCorruptOnlyWhenVouchedFor":    TestAMissingGroupIsCorruptOnlyWhenVouchedFor,
		"RoundTripOverSegments":                       TestRoundTripOverSegments,
		"UntilReadsTheSameGroupsAgain":                TestUntilReadsTheSameGroupsAgain,
		"DropEverySubsetOfTheLastGroup":               TestDropEverySubsetOfTheLastGroup,
		"DropEverySubsetOfSeveralUnsyncedGroups":      TestDropEverySubsetOfSeveralUnsyncedGroups,
		"TornReopenTornAgain":                         TestTornReopenTornAgain,
		"OldLapsAreNeverAccepted":                     TestOldLapsAreNeverAccepted,
		"LinkWhileReading":                            TestLinkWhileReading,
		"FramesFilledBesideEachOtherMakeTheSameGroup": TestFramesFilledBesideEachOtherMakeTheSameGroup,
		"GroupReusesItsBuffer":                        TestGroupReusesItsBuffer,
		"ASealedLogShowsNothing":                      aSealedLogShowsNothing,
		"AFrameThatIsForgedOrMovedIsCorrupt":          aFrameThatIsForgedOrMovedIsCorrupt,
		"WithoutKeysPayloadsAreAsTheyAre":             withoutKeysPayloadsAreAsTheyAre,
		"TheHighestEpochWinsOverAGroupThatWasCut":     TestTheHighestEpochWinsOverAGroupThatWasCut,
	} {
		t.Run(name, test)
	}
}

func aSealedLogShowsNothing(t *testing.T) {
	r := newRig(t, 2)
	secrets := []string{"a payload that nobody else may read", "another one, in the same group"}
	r.write(0, secrets...)
	r.write(0)
	got, _ := r.mustRead()
	require.Equal(t, secrets, got)
	for _, secret := range secrets {
		require.NotContains(t, string(r.image()), secret[:8])
	}
}

// aFrameThatIsForgedOrMovedIsCorrupt: a checksum is no proof that nobody has changed a frame on purpose.
func aFrameThatIsForgedOrMovedIsCorrupt(t *testing.T) {
	for name, forge := range map[string]func(group []byte){
		"changed": func(group []byte) { group[HeaderBytes+FrameHeadBytes] ^= 1 },
		"swapped with the next": func(group []byte) {
			n := frameBytes(3 + crypt.TagBytes)
			a, b := group[HeaderBytes:][:n], group[HeaderBytes+n:][:n]
			for i := FrameHeadBytes; i < n-FrameTailBytes; i++ {
				a[i], b[i] = b[i], a[i]
			}
		},
		"of another epoch": func(group []byte) { group[offEpoch] = 0 },
		"of another salt":  func(group []byte) { group[offSalt] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1)
			s := r.write(0, "one", "two")
			cfg := r.config(nil)
			raw := r.image()
			group := raw[s.Offset:][:len(s.Bytes)]
			forge(group)
			n := frameBytes(3 + crypt.TagBytes)
			for _, at := range []int{HeaderBytes, HeaderBytes + n} {
				end := at + n - FrameTailBytes
				binary.LittleEndian.PutUint32(group[end:], crc32.Checksum(group[at:end], castagnoli))
			}
			binary.LittleEndian.PutUint32(group[offCRC:], crc32.Checksum(group[:offCRC], castagnoli))
			cfg.File = bytes.NewReader(raw)
			got, _, err := read(cfg)
			require.Empty(t, got)
			require.Equal(t, s.Offset, requireCorrupt(t, err).Offset)
			require.ErrorContains(t, err, "does not open")
		})
	}
}

// withoutKeysPayloadsAreAsTheyAre: whoever only checks sums needs no key.
func withoutKeysPayloadsAreAsTheyAre(t *testing.T) {
	r := newRig(t, 1)
	r.write(0, "one")
	r.write(1, "two")
	cfg := r.config(nil)
	_, want, err := read(cfg)
	require.NoError(t, err)
	cfg.Keys = nil
	got, end, err := read(cfg)
	require.NoError(t, err)
	require.Equal(t, want, end)
	require.Len(t, got, 2)
	require.Len(t, got[0], 3+crypt.TagBytes)
}
