// Package certs keeps the certificate that the webhook serves with, and the CA bundle that API servers check it against.
//
// There are two ways, behind one interface ([Source]):
//
//   - [Keeper]: a certificate authority of our own. Its state lies in a [Store], a Secret ([SecretStore]) or a directory
//     ([DirStore]), and any number of replicas share it.
//   - [Files]: a certificate and key that somebody else maintains, such as a Secret of cert-manager, mounted.
//
// What the package promises: a client that trusts the bundle as it was at any time within the last Overlap completes every
// handshake, across renewals of the leaf and rotations of the authority, as long as each replica reaches the store once per
// Overlap. How a rotation goes, with the newest authority first and the one that signs marked with a star:
//
//	[A*]    A is old: two thirds of its life are over
//	[B A*]  B is published; A signs until every API server has had time to learn of B
//	[B* A]  after Overlap: the leaf is issued by B. A's key is destroyed; A stays, for replicas that still serve the old leaf
//	[B*]    after another Overlap: A is dropped
//
// What it leaves to others: writing the bundle into the webhook configuration (on [Source].Changed, well within Overlap),
// listening, metrics. Nothing here decides who may call.
//
// # When things fail
//
//	what fails                               what happens
//	the store cannot be reached              the current leaf goes on being served, Ready stays nil while it is valid
//	the store cannot be written              the stored leaf is served while it is valid; Problem says what to allow
//	two replicas write at once               one wins, the other reads what the winner wrote
//	the Secret is deleted or emptied         a running keeper puts back what it holds and starts a rotation, see below
//	the stored state cannot be parsed        logged as an error; repaired from what is still sound, see below
//	the state is another program's or of     nothing is written; Problem says so; what is held goes on being served
//	a newer version
//	the authority has expired                a new one, at once: nobody can trust the old one any more
//	the clock is behind the certificates     nothing is written: two replicas that disagree on the year would fight
//	a mounted pair is bad                    the last good pair is kept, the log and Problem say why
//
// # Repair and forced rotation
//
// State that cannot be parsed is replaced only where it is surely ours: a Secret with our rotation record (mollyguard.json), in no
// newer format than we know, or the file that only we write. The log says at level error what was wrong.
// A damaged leaf is issued anew by the stored authority. A damaged authority is restored by a running keeper from memory, so that
// nobody notices. Without one everything is made anew, and API servers refuse us until they have the new bundle; nothing better
// can be had, for what they trust is lost.
//
// Deleting the Secret is the customary way to ask for new keys. A running keeper obeys without an outage: it goes through the
// rotation above, done after twice Overlap. Where the old key must not be trusted for a minute longer, scale to
// zero, delete the Secret and scale up.
package certs
